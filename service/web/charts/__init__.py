"""Charts as SVG, drawn where the page is written: they print, follow the page's colours and need no script.

`scales` and `thinning` are arithmetic, `svg` writes elements, `plot` is a frame with two axes, `ternary` a triangle,
`contours` the filled surface in it. Colours of marks are classes that the style sheet gives a colour; colours that
stand for a value are written out (`colours`).
"""
