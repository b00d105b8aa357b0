"""What people said: the database of images, events, batches and the exam, and the queue that is made of them."""
