"""Readers: one file format a module, each of them a `Table` of raw cells.

A reader knows its format and nothing else. `columns` finds the columns that
were asked for, `values` says what a cell is as text, and `checking` turns rows
of raw cells into texts and labels, or into an error that names the rows.
"""
