"""The record: which tokens a conversation is made of, which of them a policy sampled, and the rows that train."""
