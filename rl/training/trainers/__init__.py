"""What trains a policy from scored episodes: the seam (trainer.py), and one trainer a file or folder."""
