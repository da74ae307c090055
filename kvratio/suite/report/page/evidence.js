// Evidence lies in the page as compressed JSON and is unpacked when it is first asked for.
const canUnpack = typeof DecompressionStream === "function";
const unpackedYet = new Map();
const unpack = (id) => {
  if (!unpackedYet.has(id)) unpackedYet.set(id, unpackNow(id));
  return unpackedYet.get(id);
};
const unpackNow = async (id) => {
  const place = byId(id);
  if (!place) return null;
  const bytes = Uint8Array.from(atob(place.textContent.trim()), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

// Steps back into values.
const summed = (steps) => { let at = 0; return steps.map((step) => (at += step)); };

// Attempts in the order of their starts, with the tokens each begins with.
const attemptsOf = (schedule, prompt) => {
  const [request, steps, length] = schedule.attempts;
  const start = summed(steps);
  const lost = new Set(schedule.void);
  const kept = new Map();
  return request.map((i, k) => {
    const before = schedule.eviction === "restart" ? 0 : kept.get(i) || 0;
    kept.set(i, before + length[k]);
    return { k, request: i, start: start[k], stop: start[k] + length[k], base: prompt[i] + before, lost: lost.has(k) };
  });
};

// Memory over time: points (time, demand); between starts and ends demand grows by one token a round for each that runs.
const memoryCurve = (attempts) => {
  const change = new Map();
  const add = (at, running, level) => {
    const entry = change.get(at) || [0, 0];
    change.set(at, [entry[0] + running, entry[1] + level]);
  };
  for (const a of attempts) { add(a.start, 1, a.base - a.start); add(a.stop, -1, a.start - a.base); }
  const times = [...change.keys()].sort((a, b) => a - b);
  const points = [];
  let running = 0, level = 0;
  times.forEach((at, k) => {
    running += change.get(at)[0];
    level += change.get(at)[1];
    if (k + 1 < times.length) points.push([at, level + running * (at + 1)], [times[k + 1], level + running * times[k + 1]]);
  });
  return points;
};
