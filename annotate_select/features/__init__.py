"""What the machine sees: encoders that turn images into features, and the store that keeps them, row by image."""

import os

# Threads that wait for work sleep instead of spinning: on two busy cores spinning made training several times slower.
# It counts only when it is said before torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
