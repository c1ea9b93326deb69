"""Raw data to rows with their place: lines, records, bitext, TMX, and pair tables read back."""
