"""A campaign as files: tables for people, the record for machines, and a description of both."""
