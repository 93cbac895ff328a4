"use strict";
// Draws the figures given as JSON in the page; recolours them when the theme changes.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const root = getComputedStyle(document.documentElement);
  const css = (name) => root.getPropertyValue(name).trim();
  const axes = (layout) => Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));

  const common = {
    autosize: true,
    showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12 },
    margin: { l: 16, r: 8, t: 24, b: 8 },
    hovermode: "x unified",
    // A finger that scrolls the page must not zoom a figure; a double click undoes a zoom.
    dragmode: touch ? false : "zoom",
  };
  const config = { responsive: true, displaylogo: false, displayModeBar: false };

  // plotly.js knows no CSS variables: the page's colours as flat keys of its layout.
  const theme = (layout) => {
    const [text, soft, line, raised] = ["--text", "--soft", "--line", "--raised"].map(css);
    const colours = {
      "font.color": text,
      "hoverlabel.bgcolor": raised,
      "hoverlabel.bordercolor": line,
      "hoverlabel.font.color": text,
    };
    for (const axis of axes(layout)) {
      for (const part of ["gridcolor", "linecolor", "zerolinecolor", "tickcolor"]) {
        colours[`${axis}.${part}`] = line;
      }
      colours[`${axis}.tickfont.color`] = soft;
      colours[`${axis}.title.font.color`] = soft;
    }
    return colours;
  };

  // The legend is HTML: it wraps on a phone, and each entry is a button that hides its series.
  const legend = (place, data) => {
    const rank = (trace) => trace.legendrank ?? 1000; // plotly.js' own default
    const shown = data.filter((trace) => trace.showlegend).sort((a, b) => rank(a) - rank(b));
    const names = [...new Set(shown.map(({ name }) => name))];
    const list = document.createElement("div");
    list.className = "legend";
    for (const name of names) {
      const members = data.flatMap((trace, index) => (trace.name === name ? [index] : []));
      const { type, line, marker, fillcolor } = data[members[0]];
      const button = document.createElement("button");
      const swatch = document.createElement("span");
      const stroke = { dash: "dashed", dot: "dotted" }[line?.dash] ?? "solid";
      const lined = type === "scatter" && line?.width > 0;
      swatch.className = lined ? "stroke" : "patch";
      if (lined) swatch.style.borderTop = `3px ${stroke} ${line.color}`;
      else swatch.style.background = fillcolor ?? marker.color;
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      // Names are escaped for plotly.js, which takes "<" for markup; here they are text.
      button.append(swatch, name.replaceAll("&lt;", "<").replaceAll("&amp;", "&"));
      button.addEventListener("click", () => {
        const visible = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(visible));
        Plotly.restyle(place, { visible }, members);
      });
      list.append(button);
    }
    if (names.length > 1) place.before(list);
  };

  for (const { key, data, layout: given } of figures) {
    const place = document.getElementById(`plot-${key}`);
    const layout = { ...common, ...given };
    for (const axis of axes(layout)) {
      layout[axis] = { automargin: true, fixedrange: touch, ...layout[axis] };
    }
    legend(place, data);
    Plotly.newPlot(place, data, layout, config).then(() => {
      const recolour = () => Plotly.relayout(place, theme(layout));
      recolour();
      dark.addEventListener("change", recolour);
    });
  }
})();
