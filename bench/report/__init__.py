"""`zenbench report`: a run folder's facts, drawn and written as one HTML page."""
