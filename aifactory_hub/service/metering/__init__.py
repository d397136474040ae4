"""Meters what the teams' pods hold: witnesses tell the ledger, and months are closed by the clock."""
