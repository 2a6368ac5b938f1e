/** Numbers, rates, times and sizes as text. */

const whole = new Intl.NumberFormat("en");
const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });
const moments = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** 1234 → "1,234". */
export const number = (value) => whole.format(value);

/** "1 photo", "3 photos"; irregular plurals are passed in. */
export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** 0.9731 → "97 %"; values near 0 or 1 are not rounded to certainty. */
export function percent(value) {
  if (value >= 0.995) return value >= 0.9995 ? "> 99.9 %" : `${(100 * value).toFixed(1)} %`;
  if (value > 0 && value < 0.005) return "< 1 %";
  return `${Math.round(100 * value)} %`;
}

/** A small rate with enough digits: 0.0142 → "1.42 %". */
export function rate(value) {
  if (value === 0) return "0 %";
  const hundred = 100 * value;
  const digits = hundred >= 99 ? 2 : hundred >= 10 ? 1 : hundred >= 1 ? 2 : 3;
  return `${Number(hundred.toFixed(digits))} %`;
}

/** 0.00043 → "once in 2,300". */
export function onceIn(share) {
  const times = 1 / share;
  const step = 10 ** Math.max(0, Math.floor(Math.log10(times)) - 1);
  return `once in ${number(Math.round(times / step) * step)}`;
}

/** A probability in words. */
export function certainty(probability) {
  if (probability >= 0.99) return "Almost certain";
  if (probability >= 0.95) return "Very likely";
  if (probability >= 0.8) return "Likely";
  if (probability >= 0.5) return "More likely than not";
  return "Doubtful";
}

/** How often a stranger gets this score, as a sentence; `share` null or undefined: unknown. */
export function falsePositiveText(share) {
  if (share === null || share === undefined) return "False positive rate unknown.";
  if (share >= 0.5) return "Most strangers would get a score like this.";
  if (share <= 1e-6) return "A stranger would get this score less than once in a million.";
  return `A stranger would get this score ${onceIn(share)}.`;
}

/** Why a face is unknown, as a sentence; `others` are the other faces of its photo. */
export function whyUnknown(face, others = []) {
  const [nearest] = face.candidates;
  if (!nearest) return "There are no people to compare it with.";
  if (
    others.some(({ name, similarity }) => name === nearest.name && similarity >= nearest.similarity)
  ) {
    return `Another face in this photo is more similar to ${nearest.name}, and no person is in a photo twice.`;
  }
  const share = face.falsePositiveRate;
  if (share === null || share === undefined)
    return "Not similar enough to a known person. False positive rate unknown.";
  if (share >= 0.5) return "Not similar to a known person: most strangers get a score like this.";
  const times = number(Math.max(2, Math.round(1 / share)));
  return `One stranger in ${times} gets a score like this: not similar enough for a name.`;
}

/** 1536 → "1.5 kB". */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  if (size < 1e6) return `${Math.round(size / 1e3)} kB`;
  return size < 1e9 ? `${(size / 1e6).toFixed(1)} MB` : `${(size / 1e9).toFixed(2)} GB`;
}

/** An ISO time → "25 November 2026"; other text is returned unchanged. */
export function day(iso) {
  const time = new Date(iso);
  return iso && !Number.isNaN(time.valueOf()) ? dates.format(time) : (iso ?? "");
}

/** An ISO time, or one like 20261125-162001 → "25 Nov, 16:20". */
export function moment(text) {
  const iso = text?.replace(/^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/, "$1-$2-$3T$4:$5:$6Z");
  const time = new Date(iso);
  return iso && !Number.isNaN(time.valueOf()) ? moments.format(time) : (iso ?? "");
}

/** Seconds → "12 s", "3 min 20 s", "1 h 5 min". */
export function duration(seconds) {
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min${all % 60 ? ` ${all % 60} s` : ""}`;
  return `${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`;
}
