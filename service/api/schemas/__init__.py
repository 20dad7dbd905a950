"""What goes over the wire, one module per noun: `…Create` comes in, `…Read` goes out."""
