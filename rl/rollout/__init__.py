"""Rollouts: tasks asked of a graph, alone, in groups, at their own pace, turn by turn (Gymnasium), on many machines."""
