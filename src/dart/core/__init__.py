"""What everything else stands on: records, files, seeds, errors, parameters, paths, the graph and its code."""
