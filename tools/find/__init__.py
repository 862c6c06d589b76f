"""Tools that find something and outline it: a region, objects, edges, vessels, lungs, a change."""
