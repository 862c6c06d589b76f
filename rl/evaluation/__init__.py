"""Evaluation: what policies are asked, the metrics of their trajectories with intervals, plots and the report."""
