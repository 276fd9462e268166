"""Analysis of results: data frames in, data frames and figures out."""
