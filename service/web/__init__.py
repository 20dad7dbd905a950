"""The researcher's pages: rendered here, live by the event stream, without a build step or a foreign network.

How a page is made, so that several people can add theirs beside each other:

- **A noun is a page.** `pages/<noun>.py` has its routes, `templates/<noun>.html` what they show,
  `catalogue/<noun>.json` every word of it in every language, `static/<noun>.css` and `static/charts/<noun>.js` what
  only it needs. A new module is named once, in `mounting.py`; a new tab of a campaign once, in `navigation.py`.
- **Pages read by operations** in one short transaction and answer `render(request, "<noun>.html", ...)`. They never
  import `service.api`, and never call the service over HTTP.
- **Whatever changes something is a call of the public API, made by the browser**: `<form data-api="POST /v1/...">`,
  sent as JSON by `static/forms.js` with an Idempotency-Key. So there is one place for scopes, checks and audit.
- **Words come from the catalogue**: `t("noun.key", n=3)`. A word that is missing in a language fails a test.
- **A part that lives** is `<section id="part-..." data-part>`, rendered by a template of its own under
  `templates/campaign/`, and named in `pages/campaign.py:PARTS` with the function that reads what it shows. Whenever
  something happens in the campaign, all its parts are fetched in one request and swapped.
- **A chart** is SVG, drawn here by `charts/` from what an operation found: `drawings/<noun>.py` returns a `Figure`, and
  `figures.html` shows it with its caption and its numbers as a table. Marks have classes that `static/charts.css`
  colours from the tokens; each tells its numbers in a `<title>`, which `static/charts.js` shows at once. What takes
  longer than a page may is a part that the page fetches by itself. No inline script, no inline style: the
  Content-Security-Policy refuses both; attributes of SVG and `element.style` from a script are allowed.
"""
