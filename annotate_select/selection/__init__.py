"""What to label next: strategies over arrays, and the guards that every batch passes."""
