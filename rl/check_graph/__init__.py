"""Whether a graph's training rows are exact, proved on real episodes before anything is trained on them."""
