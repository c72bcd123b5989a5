"""The only room that touches Gin: configs are read, checked, built, explained and saved here."""
