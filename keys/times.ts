/** Times as an operator reads them. */

const SECOND_MS = 1000
const units = [
  ['day', 86_400 * SECOND_MS],
  ['hour', 3600 * SECOND_MS],
  ['minute', 60 * SECOND_MS],
] as const

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
// Sweden writes local time as ISO 8601 does: `2026-11-24 21:31`.
const local = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short' })

/** `in 3 days`, `5 minutes ago`: in the largest unit of which there is one. */
export function inWords(timeMs: number, nowMs: number): string {
  const distanceMs = timeMs - nowMs
  const [unit, unitMs] = units.find(([, ms]) => Math.abs(distanceMs) >= ms) ?? ['second', SECOND_MS]
  return relative.format(Math.round(distanceMs / unitMs), unit)
}

export function inLocalTime(timeMs: number): string {
  return local.format(timeMs)
}

export function inUtc(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
