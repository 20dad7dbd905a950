/* ReDoc in the colours and type of the page. */
const style = getComputedStyle(document.documentElement);
const token = (name) => style.getPropertyValue(name).trim();

window.Redoc.init("/openapi.json", {
  disableSearch: false,
  hideDownloadButton: false,
  nativeScrollbars: true,
  sortTagsAlphabetically: false,
  theme: {
    colors: { primary: { main: token("--accent") }, text: { primary: token("--ink"), secondary: token("--ink-2") }, border: { dark: token("--rule"), light: token("--rule") } },
    typography: { fontSize: "15px", fontFamily: token("--sans"), headings: { fontFamily: token("--serif"), fontWeight: "600" }, code: { fontFamily: token("--mono"), fontSize: "13px", backgroundColor: token("--sunken"), color: token("--ink") }, links: { color: token("--accent") } },
    sidebar: { backgroundColor: token("--sunken"), textColor: token("--ink"), width: "280px" },
    rightPanel: { backgroundColor: "#1c2126" },
    schema: { nestedBackground: token("--sunken") },
  },
}, document.getElementById("redoc"));
