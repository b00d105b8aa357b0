"""What can be labelled: where images are listed, how their files are read, and what is known of them unseen.

`sources` lists images, `inspect` checks and fingerprints them, `decode` turns them into pixels for an encoder and
`thumbnails` into small files for a person. A broken file is always a reason in words, never a crash.
"""
