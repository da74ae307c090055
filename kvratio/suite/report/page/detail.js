// The sheet behind a cell: its instances, the schedule of one, its bound and certificates, the commands that replay it.
const ABOUT_KIND = {
  starts: "a schedule: the start of each request, and its cost",
  dual: "prices of memory per round; by weak duality no schedule costs less",
  lp: "prices from the linear relaxation, recomputed in integers",
  tree: "a proof of the exact search, replayed by a program of its own",
  parts: "the instance cut into stretches, with a certificate each",
  profile: "prices per state and round from the backward search",
  relaxed: "an instance that is easier request by request, with a certificate of its own",
  solver: "a solver's or a search's word: not a proof",
};
const aboutKind = (kind) => ABOUT_KIND[kind] || (/^LB/.test(kind) ? "a closed form, recomputed exactly from the instance" : "");
const ROWS_AT_FIRST = 12;

const startDetail = () => {
  const dialog = byId("detail");
  let redraw = null;
  let serial = 0;
  addEventListener("resize", () => redraw && requestAnimationFrame(() => redraw && redraw()));
  dialog.addEventListener("close", () => {
    redraw = null;
    serial += 1;
    if (location.hash.startsWith("#cell=")) history.replaceState(null, "", location.pathname + location.search);
  });
  // A press outside the sheet closes it.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  const open = async (number) => {
    if (!canUnpack) {
      tell("This browser cannot unpack the evidence (it lacks DecompressionStream): open the page in a version from 2023 or later. The tables and figures are complete.");
      return;
    }
    const index = await unpack("index");
    const cell = index.cells[number];
    if (!cell) return;
    history.replaceState(null, "", `#cell=${number}`);
    fill(index, cell, number);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    redraw();
  };

  const fill = (index, cell, number) => {
    const policy = index.policies[cell.policy], family = index.families[cell.family];
    const column = (name, k) => (index.rows[name] ? index.rows[name][k] : null);
    const mine = index.rows.cell.flatMap((c, k) => (c === number ? [k] : []));
    const source = document.querySelector(`#list tr[data-k="${number}"]`);
    const said = (k) => source.cells[k].textContent.trim();
    const best = said(2).startsWith("★");
    const fact = (name, text, lesser) => h("div", {}, h("dt", {}, name), h("dd", { class: lesser ? "lesser" : null }, text));
    const interval = h("div", {});
    const caseOf = (k) => index.cases[column("case", k)];
    const worst = mine.find((k) => column("case", k) !== null && caseOf(k).id === cell.hardest && column("ratio", k) !== "failed");
    const chosen = h("div", {});
    const rows = mine.map((k) => instanceRow(index, k, column, caseOf, () => choose(k)));
    let drawn = () => {};
    const choose = async (k) => {
      const mark = (serial += 1);
      rows.forEach((row, at) => (mine[at] === k ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
      const evidence = column("case", k) === null ? null : await unpack(`case-${caseOf(k).id}`);
      if (mark === serial) drawn = instancePart(chosen, { index, k, column, policy, family, evidence, about: column("case", k) === null ? null : caseOf(k) });
    };
    dialog.replaceChildren(
      h("div", { class: "sheet-head" },
        h("div", {}, h("h2", { id: "detail-title", tabindex: -1, autofocus: true }, `${policy.label} on ${family.label}`), h("p", {}, family.title)),
        h("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => dialog.close() }, "✕")),
      h("div", { class: "sheet" },
        h("dl", { class: "verdict" },
          fact("worst ratio", said(2)), fact("mean ratio", said(4)), fact(source.closest("table").tHead.rows[0].cells[5].textContent, said(5), true),
          fact("guarantee", said(6)), fact("hypotheses hold", said(7)), fact("instances", said(10), true)),
        interval,
        best ? h("p", { class: "small" }, "★ The smallest upper end of the worst ratio on this family.") : null,
        policy.about ? h("p", {}, policy.about) : null,
        policy.promise ? h("p", { class: "small" }, `Guarantee: ${policy.promise}. Hypotheses: ${policy.hypotheses}.`) : null,
        policy.source ? h("p", { class: "small" }, policy.source) : null,
        cell.spread ? h("p", { class: "small" }, `Randomised: over its seeds on one instance the standard deviation is at most ${(100 * cell.spread).toFixed(1)}% of the mean cost.`) : null,
        h("h3", {}, mine.length === 1 ? "Its instance" : "Its instances"),
        table("Instances of this cell", ["instance", ">ratio", ">cost", ">L", ">U", ">n", ">M", ">evictions", ">makespan", ">guarantee", "bound"], rows),
        chosen));
    redraw = () => { drawInterval(interval, cell); drawn(); };
    choose(worst === undefined ? mine[0] : worst).then(() => redraw && redraw());
  };

  const instanceRow = (index, k, column, caseOf, choose) => {
    const about = column("case", k) === null ? null : caseOf(k);
    const failed = column("ratio", k) === "failed";
    const seeds = [column("point", k), column("seed", k) ? `policy seed ${column("seed", k)}` : ""];
    const held = column("holds", k);
    return h("tr", {},
      h("td", { class: "wide" }, h("button", { type: "button", class: "pick", onclick: choose }, seeds.filter(Boolean).join(", "))),
      failed ? h("td", { class: "wide bad", colspan: 10 }, `failed: ${column("message", k)}`) : [
        h("td", { class: "num" }, column("ratio", k)),
        ...["cost", "lower", "upper"].map((name) => h("td", { class: "num" }, whole(column(name, k)))),
        h("td", { class: "num" }, whole(about.n)), h("td", { class: "num" }, whole(about.memory)),
        ...["evictions", "makespan"].map((name) => h("td", { class: "num" }, whole(column(name, k)))),
        h("td", { class: "num" }, column("guarantee", k) === null ? "–" : `${column("guarantee", k)} ${held ? "holds" : "hypotheses fail"}`),
        h("td", {}, `${column("method", k)}, ${column("grade", k)}`)]);
  };

  // Everything about one instance; returns what draws it again at another width.
  const instancePart = (place, { index, k, column, policy, family, evidence, about }) => {
    if (!about) {
      place.replaceChildren(h("h3", {}, "Failure"), h("p", { class: "bad" }, column("message", k)), trace(column("traceback", k)));
      return () => {};
    }
    const seed = column("seed", k) || 0;
    const replay = `kvratio simulate ${about.file} ${policy.call}${seed ? ` --seed ${seed}` : ""}${policy.given || ""}`;
    const enclose = `kvratio bound ${about.file} --method ${family.method} --objective ${family.objective} --time-limit ${family.limit}${family.options}`;
    const facts = [`n = ${whole(about.n)}`, `M = ${whole(about.memory)}`, about.policyMemory ? `the policy has ${whole(about.policyMemory)}` : "",
      `α = ${about.alpha}`, about.batch ? "batch" : "with arrivals", about.forced ? `built to force ${about.forced}` : "", about.tuned ? `tuned to ${about.tuned}` : ""];
    const measured = [["cost", "cost"], ["median flow", "flow_p50"], ["99th percentile of flow", "flow_p99"], ["makespan", "makespan"],
      ["evictions", "evictions"], ["void token-rounds", "wasted_token_rounds"], ["recomputed tokens", "recomputed_tokens"]]
      .filter(([, name]) => column(name, k) !== null).map(([label, name]) => `${label} ${whole(column(name, k))}`);
    const canvas = h("div", {});
    let draw = () => {};
    const parts = [h("h3", {}, about.name || about.id), h("p", { class: "small" }, facts.filter(Boolean).join(" · ")),
      measured.length ? h("p", { class: "small" }, measured.join(" · ")) : null];
    if (column("ratio", k) === "failed") parts.push(h("p", { class: "bad" }, column("message", k)), trace(column("traceback", k)));
    if (!evidence) {
      parts.push(h("p", { class: "notice" }, "The evidence of this instance was left out to keep the page small; the commands below make it again."));
    } else {
      const file = evidence.instance.file;
      const columns = file || { ...evidence.instance.first, prompt: evidence.instance.prompt };
      const schedule = evidence.schedules[column("key", k)];
      parts.push(h("h3", {}, "Schedule"));
      if (!schedule) parts.push(h("p", { class: "small" }, "The page carries the schedule of the hardest instance of each cell (first seed); the command below replays this one."));
      else if (schedule.why) parts.push(h("p", { class: "notice" }, `No schedule: ${schedule.why}.`));
      else {
        const thin = schedule.every > 1 || schedule.curve
          ? `${schedule.every > 1 ? `One request in ${schedule.every} is drawn` : "The last attempts are drawn"}: ${whole(schedule.attempts[0].length)} of ${whole(schedule.total)} attempts. The memory curve is of all, least and most in ${schedule.curve ? schedule.curve[0].length : 0} stretches of time.` : "";
        const summary = `Memory over ${schedule.makespan} rounds against M = ${schedule.memory || about.memory}, and ${schedule.attempts[0].length} attempts of requests.`;
        parts.push(h("figure", { style: "margin:0" }, canvas,
          h("figcaption", {}, h("div", { class: "keys" }, h("span", { style: "--k:var(--blue)" }, "runs to completion"),
            schedule.void.length ? h("span", { style: "--k:var(--pink)" }, "evicted") : null, h("span", { style: "--k:var(--faint)" }, "waits")),
            h("p", { class: "small" }, `${whole(schedule.total)} attempts, makespan ${whole(schedule.makespan)}, utilisation ${(100 * schedule.utilisation).toFixed(1)}%, ${schedule.origin === "kept" ? "from the file that the run kept" : "run again when this page was written, at the same cost"}, and checked. ${thin}`))));
        draw = () => drawSchedule(canvas, schedule, columns, summary);
      }
      parts.push(h("h3", {}, "Bound"), ...boundPart(evidence.bound, k, column, about), h("h3", {}, "Requests"), ...requestPart(evidence.instance, columns, schedule, about));
    }
    parts.push(h("h3", {}, "Replay"), h("p", { class: "small" }, "In the run folder:"), command(replay, "run the policy again"), command(enclose, "compute the bound again"));
    place.replaceChildren(...parts.filter(Boolean));
    draw();
    return draw;
  };

  const trace = (text) => (text ? h("details", { class: "cert" }, h("summary", {}, "Traceback"), h("pre", { tabindex: 0 }, text)) : null);

  const boundPart = (bound, k, column, about) => {
    const lower = column("lower", k), upper = column("upper", k);
    const parts = [h("p", {}, upper === null ? `L = ${whole(lower)}: under recompute and swap only L divides the cost.`
      : `L = ${whole(lower)} ≤ OPT ≤ U = ${whole(upper)}${lower === upper ? ": the optimum is known." : lower > 0 ? `, a gap of ${(100 * (upper / lower - 1)).toFixed(2)}%.` : "."} U is the cost of ${column("by", k)}.`)];
    if (bound.why) return [...parts, h("p", { class: "notice" }, `No certificates here: ${bound.why}.`)];
    parts.push(h("p", { class: "small" }, `Method ${bound.method}, grade ${bound.grade}; ${bound.origin === "kept" ? "certificates from the run folder" : "computed again when this page was written"}, every certificate rechecked. Its own interval: ${whole(bound.lower)} to ${whole(bound.upper)}.`));
    for (const certificate of bound.certificates) {
      const text = certificate.data ? JSON.stringify(certificate.data, null, 1).replace(/\n\s+(-?\d+)(?=,|\n)/g, " $1") : `${certificate.begins} …`;
      parts.push(h("details", { class: "cert" },
        h("summary", {}, h("span", { class: `side ${certificate.side}` }, certificate.side), h("strong", {}, certificate.kind), ` ${aboutKind(certificate.kind)}`),
        certificate.data ? null : h("p", {}, `The beginning of ${whole(certificate.length)} characters; the command below makes it again (add --save bound.json).`),
        h("pre", { tabindex: 0 }, text)));
    }
    const small = bound.certificates.every((c) => c.data);
    if (small) parts.push(h("div", { class: "row-links" }, download(JSON.stringify(bound.certificates), `${about.id}-certificates.json`, "Download certificates")));
    return parts;
  };

  const requestPart = (instance, columns, schedule, about) => {
    const names = ["arrival", "prompt", "output", "predicted", "predicted_low", "predicted_high", "witness"].filter((name) => Array.isArray(columns[name]));
    const known = (columns.output || []).length;
    const first = new Map(), last = new Map(), tries = new Map();
    if (schedule && schedule.attempts) {
      for (const a of attemptsOf(schedule, columns.prompt)) {
        if (!first.has(a.request)) first.set(a.request, a.start);
        tries.set(a.request, (tries.get(a.request) || 0) + 1);
        if (!a.lost) last.set(a.request, a.stop);
      }
    }
    const complete = schedule && schedule.attempts && !schedule.curve;
    const heads = ["request", ...names.map((name) => `>${name.replaceAll("_", " ")}`), ...(complete ? [">first start", ">attempts", ">completion"] : [])];
    const line = (i) => h("tr", {}, h("th", { scope: "row" }, i), names.map((name) => h("td", { class: "num" }, whole(columns[name][i]))),
      complete ? [first, tries, last].map((map) => h("td", { class: "num" }, whole(map.get(i)))) : null);
    const body = table("Requests of the instance", heads, Array.from({ length: Math.min(known, ROWS_AT_FIRST) }, (_, i) => line(i)));
    const links = h("div", { class: "row-links" });
    if (known > ROWS_AT_FIRST) {
      const more = h("button", { type: "button", class: "ghost" }, instance.file ? `Show all ${whole(known)}` : `Show the first ${whole(known)} of ${whole(instance.n)}`);
      more.addEventListener("click", () => {
        body.querySelector("tbody").append(...Array.from({ length: known - ROWS_AT_FIRST }, (_, j) => line(j + ROWS_AT_FIRST)));
        more.remove();
      });
      links.append(more);
    }
    if (instance.file) links.append(download(JSON.stringify(instance.file), about.file.split("/").pop(), "Download instance"));
    return [body, links, h("p", { class: "small" }, "sha256 ", h("code", { class: "hash" }, instance.key))];
  };
  return open;
};
