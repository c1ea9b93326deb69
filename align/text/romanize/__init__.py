"""Text in any script to Latin letters, as uroman writes it: units cut and kept, so that a word is romanised once."""
