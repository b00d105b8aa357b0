"""What the machine sees: encoders that turn images into features, and the store that keeps one row an image.

`encoder` says what an encoder is; `autoencoder` learns one from the pool itself, `backbone` wraps a pretrained network
of torchvision; `store` keeps features on disk so that a kill loses little and a row never belongs to another image.
"""
