"""What every graph gets, proved graph by graph: `python -m rl.features` makes the table of graphs and features."""
