// A schedule as SVG: memory against the budget, and below it who waits and who runs, on one time axis.
const BANDS_UP_TO = 80;
const short = (value) => (value >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M` : value >= 1e4 ? `${+(value / 1e3).toPrecision(3)}k` : String(value));
const ticks = (top, about) => {
  const rough = Math.max(1, top / about);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((m) => m * unit >= rough);
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, k) => k * step);
};
const path = (points) => points.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

const drawSchedule = (place, schedule, instance, summary) => {
  const width = Math.max(300, place.clientWidth || 640);
  const left = 46, right = 10, top = 20, high = width < 500 ? 150 : 190, gap = 26, bottom = 34;
  const attempts = attemptsOf(schedule, instance.prompt);
  const memory = schedule.memory || instance.memory;
  const arrival = schedule.arrival || instance.arrival || [];
  const first = new Map();
  for (const a of attempts) if (!first.has(a.request)) first.set(a.request, first.size);
  const lanes = Math.max(1, first.size);
  const lane = Math.min(15, Math.max(Math.min(3, 420 / lanes), 170 / lanes));
  const tall = lane * lanes;
  const x = (time) => left + ((width - left - right) * time) / Math.max(1, schedule.makespan);
  const y = (tokens) => top + high * (1 - tokens / (memory * 1.06));
  const below = top + high + gap;
  const row = (request) => below + lane * first.get(request);
  const whole_ = below + tall + bottom;
  const svg = s("svg", { class: "drawn", viewBox: `0 0 ${width} ${whole_.toFixed(0)}`, role: "img", "aria-label": summary });

  // axes
  for (const t of ticks(schedule.makespan, width < 500 ? 4 : 8)) {
    svg.append(s("path", { class: "grid", d: `M${x(t).toFixed(1)} ${top}V${top + high}M${x(t).toFixed(1)} ${below}V${below + tall}` }),
      s("text", { x: x(t), y: below + tall + 15, "text-anchor": "middle" }, short(t)));
  }
  for (const m of ticks(memory, 4)) {
    svg.append(s("path", { class: "grid", d: `M${left} ${y(m).toFixed(1)}H${width - right}` }),
      s("text", { x: left - 6, y: y(m) + 4, "text-anchor": "end" }, short(m)));
  }
  svg.append(s("text", { x: width - right, y: whole_ - 3, "text-anchor": "end" }, "round"),
    s("text", { x: 0, y: 11 }, "memory (tokens)"), s("text", { x: 0, y: below - 7 }, "requests, by first start"));

  // memory: one band a request where they are few, else the curve
  const lit = s("path", { class: "band lit" });
  const outline = new Map();
  if (!schedule.curve && attempts.length <= BANDS_UP_TO) {
    const times = [...new Set(attempts.flatMap((a) => [a.start, a.stop]))].sort((a, b) => a - b);
    const edges = new Map(attempts.map((a) => [a.k, { up: [], down: [] }]));
    for (let k = 0; k + 1 < times.length; k += 1) {
      let low = [0, 0];
      for (const a of attempts.filter((b) => b.start <= times[k] && b.stop >= times[k + 1])) {
        const next = [times[k] + 1, times[k + 1]].map((round, side) => low[side] + a.base + round - a.start);
        const edge = edges.get(a.k);
        edge.down.push([x(times[k]), y(low[0])], [x(times[k + 1]), y(low[1])]);
        edge.up.push([x(times[k]), y(next[0])], [x(times[k + 1]), y(next[1])]);
        low = next;
      }
    }
    for (const a of attempts) {
      const edge = edges.get(a.k);
      outline.set(a.k, `${path([...edge.up, ...edge.down.reverse()])}Z`);
      svg.append(s("path", { class: `band${first.get(a.request) % 2 ? " odd" : ""}${a.lost ? " lost" : ""}`, d: outline.get(a.k) }));
    }
  } else if (schedule.curve) {
    const [steps, least, most] = schedule.curve;
    const at = summed(steps);
    const up = at.map((t, k) => [x(t), y(most[k])]), down = at.map((t, k) => [x(t), y(least[k])]).reverse();
    svg.append(s("path", { class: "area", d: `${path(up)}L${x(schedule.makespan).toFixed(1)} ${y(0)}L${x(0)} ${y(0)}Z` }),
      s("path", { class: "area", d: `${path([...up, ...down])}Z` }), s("path", { class: "line", d: path(up) }));
  } else {
    const points = memoryCurve(attempts).map(([t, m]) => [x(t), y(m)]);
    svg.append(s("path", { class: "area", d: `M${x(0)} ${y(0)}${path(points).replace("M", "L")}L${x(schedule.makespan).toFixed(1)} ${y(0)}Z` }),
      s("path", { class: "line", d: path(points) }));
  }
  svg.append(s("path", { class: "budget", d: `M${left} ${y(memory).toFixed(1)}H${width - right}` }),
    s("text", { x: width - right, y: y(memory) - 5, "text-anchor": "end" }, `M = ${memory.toLocaleString("en")}`));

  // requests: a thin line while they wait, a bar while they run
  const thick = Math.max(0.8, lane * (lane > 4 ? 0.72 : 0.9));
  const bar = (a) => `M${x(a.start).toFixed(1)} ${row(a.request).toFixed(1)}h${Math.max(0.6, x(a.stop) - x(a.start)).toFixed(1)}v${thick.toFixed(1)}H${x(a.start).toFixed(1)}z`;
  let waits = "", ran = "", lost = "";
  const since = new Map();
  for (const a of attempts) {
    const from = since.has(a.request) ? since.get(a.request) : arrival[a.request] || 0;
    if (a.start > from) waits += `M${x(from).toFixed(1)} ${(row(a.request) + thick / 2).toFixed(1)}H${x(a.start).toFixed(1)}`;
    since.set(a.request, a.stop);
    if (a.lost) lost += bar(a); else ran += bar(a);
  }
  svg.append(s("path", { class: lane < 4 ? "wait dense" : "wait", d: waits }), s("path", { class: "ran", d: ran }), s("path", { class: "lost", d: lost }));
  const litBar = s("path", { class: "lit-bar" });
  svg.append(s("path", { class: "axis", d: `M${left} ${top}V${top + high}H${width - right}M${left} ${below + tall + 1}H${width - right}` }), lit, litBar);

  // who is under the pointer
  const told = h("p", { class: "told" }, "Point at a bar to see its request.");
  const show = (a) => {
    litBar.setAttribute("d", a ? bar(a) : "");
    lit.setAttribute("d", (a && outline.get(a.k)) || "");
    if (a) told.textContent = `Request ${a.request}: rounds ${whole(a.start + 1)} to ${whole(a.stop)}, ${whole(a.base)} tokens at first, ${whole(a.base + a.stop - a.start)} at last${a.lost ? (schedule.eviction === "restart" ? ", evicted: void" : ", evicted") : ", completed"}.`;
  };
  const point = (event) => {
    const box = svg.getBoundingClientRect();
    const px = ((event.clientX - box.left) * width) / box.width, py = ((event.clientY - box.top) * whole_) / box.height;
    const number = Math.floor((py - below) / lane);
    const time = ((px - left) * Math.max(1, schedule.makespan)) / (width - left - right);
    if (number < 0 || number >= lanes) { show(null); return; }
    const near = attempts.filter((a) => first.get(a.request) === number)
      .reduce((best, a) => {
        const away = Math.max(a.start - time, time - a.stop, 0);
        return best && best.away <= away ? best : { a, away };
      }, null);
    show(near && near.a);
  };
  for (const name of ["pointermove", "pointerdown"]) svg.addEventListener(name, point);
  place.replaceChildren(svg, told);
};

// The interval of a ratio on a log axis, with the guarantee beside it.
const drawInterval = (place, cell) => {
  const width = Math.max(300, place.clientWidth || 640), left = 8, right = 8;
  const ends = [cell.low, cell.high, cell.promised].filter((v) => v !== null && v > 0);
  const low = Math.min(1, ...ends), high = Math.max(2, ...ends) * 1.12;
  const x = (value) => left + ((width - left - right) * Math.log(value / low)) / Math.log(high / low);
  const svg = s("svg", { class: "drawn", viewBox: `0 0 ${width} 54`, "aria-hidden": "true" });
  const marksOf = (leading) => Array.from({ length: 24 }, (_, k) => k - 4)
    .flatMap((d) => leading.map((m) => +(m * 10 ** d).toPrecision(3))).filter((v) => v >= low && v <= high);
  const marks = [[1, 1.1, 1.2, 1.3, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7], [1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1]].map(marksOf)
    .find((found) => found.length <= (width < 500 ? 7 : 10)) || [];
  for (const v of marks) svg.append(s("path", { class: "grid", d: `M${x(v).toFixed(1)} 8V36` }),
    s("text", { x: x(v), y: 50, "text-anchor": "middle" }, `${+v.toPrecision(3)}`));
  if (cell.promised) svg.append(s("path", { class: "promise", d: `M${x(cell.promised).toFixed(1)} 9V35` }));
  const from = cell.low === null ? cell.high : cell.low;
  if (from !== null) {
    svg.append(s("path", { d: `M${x(from).toFixed(1)} 22H${x(cell.high === null ? high : cell.high).toFixed(1)}`, stroke: "var(--blue)", "stroke-width": 3, opacity: 0.55 }),
      s("circle", { cx: x(from), cy: 22, r: 5, fill: cell.low === null ? "var(--page)" : "var(--blue)", stroke: "var(--blue)", "stroke-width": 1.5 }));
  }
  place.replaceChildren(svg);
};
