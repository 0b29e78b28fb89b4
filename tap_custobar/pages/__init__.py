"""Response -> raw rows and the next link; iteration over the pages of a stream."""
