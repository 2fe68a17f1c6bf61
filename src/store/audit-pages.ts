/**
 * Pages of the audit trail, newest first, from the trails of several buckets.
 *
 * Events stand in one order: by their time, their number within it, and their bucket. Each bucket is asked for a piece. A piece
 * that stopped before its trail's end says nothing of what is older, so the page ends there too, full or not.
 */
import { z } from 'zod'
import type { AuditEvent, AuditPage } from './audit.ts'
import { toObject } from './schema.ts'

/** How many events a call looks through at most, all buckets together. */
const LOOK_LIMIT = 4000
/** A bucket whose events are all newer than the others' gives so many of them at least. */
const LEAST_PER_BUCKET = 10

/** Where an event stands. */
interface Place {
  readonly ms: number
  readonly sequence: number
  readonly bucket: number
}

interface PlacedEvent {
  readonly id: string
  readonly event: AuditEvent
}

export interface TrailPiece {
  /** Stream id of the last event that was looked at, '' at the end of the trail. */
  readonly stopped: string
  readonly entries: readonly PlacedEvent[]
}

/** Where to begin in a trail, as `read-audit.lua` takes it. */
interface TrailPlace {
  readonly key: string
  readonly bucket: number
  readonly from: string
  readonly most: number
  readonly look: number
}

/** What `audit.lua` writes: '' for what there is not. */
const fields = z.object({
  event: z.string(),
  user: z.string(),
  sid: z.string(),
  by: z.string(),
  from: z.string(),
  request: z.string(),
  outcome: z.string(),
  detail: z.string(),
})

const entry = z
  .tuple([z.string(), z.array(z.string()).transform(toObject).pipe(fields)])
  .transform(([id, { event, user, sid, by, from, request, outcome, detail }]): PlacedEvent => {
    const optional = Object.entries({ userId: user, sid, from, requestId: request, detail })
    const told = Object.fromEntries(optional.filter(([, value]) => value !== ''))
    return { id, event: { atMs: Number(id.split('-')[0]), event, by, outcome, ...told } }
  })

/** What `read-audit.lua` returns. */
export const trailPiece = z
  .tuple([z.string(), z.array(entry)])
  .transform(([stopped, entries]) => ({ stopped, entries }))

/** Where to read on. A cursor that is none reads the newest. */
export function readTrailPlaces(
  cursor: string | undefined,
  {
    trails,
    all,
    limit,
  }: { readonly trails: readonly string[]; readonly all: readonly string[]; readonly limit: number },
): readonly TrailPlace[] {
  const before = /^[1-9]\d{0,14}-\d{1,15}-\d{1,3}$/.test(cursor ?? '') ? parsePlace(cursor ?? '') : undefined
  const most = trails.length === 1 ? limit : Math.max(Math.ceil((2 * limit) / trails.length), LEAST_PER_BUCKET)
  const look = Math.max(Math.ceil(LOOK_LIMIT / trails.length), most)
  return trails.map((key) => {
    const bucket = all.indexOf(key)
    if (!before) return { key, bucket, from: '+', most, look }
    const id = `${before.ms}-${before.sequence}`
    return { key, bucket, from: bucket < before.bucket ? id : `(${id}`, most, look }
  })
}

/** @param from the bucket of each piece, and the most events to list */
export function mergeTrails(
  pieces: readonly TrailPiece[],
  { buckets, limit }: { readonly buckets: readonly number[]; readonly limit: number },
): AuditPage {
  const bucketOf = (piece: number) => buckets[piece] ?? 0
  const events = pieces
    .flatMap(({ entries }, i) => entries.map(({ id, event }) => ({ place: placeOf(id, bucketOf(i)), event })))
    .toSorted((a, b) => newestFirst(a.place, b.place))
  const [horizon] = pieces
    .flatMap(({ stopped }, i) => (stopped === '' ? [] : [placeOf(stopped, bucketOf(i))]))
    .toSorted(newestFirst)
  const certain = horizon ? events.filter(({ place }) => newestFirst(place, horizon) <= 0) : events
  const listed = certain.slice(0, limit)
  const next = certain.length > limit ? listed.at(-1)?.place : horizon
  const told = listed.map(({ event }) => event)
  return next ? { events: told, next: `${next.ms}-${next.sequence}-${next.bucket}` } : { events: told }
}

function newestFirst(a: Place, b: Place): number {
  return b.ms - a.ms || b.sequence - a.sequence || b.bucket - a.bucket
}

function placeOf(id: string, bucket: number): Place {
  return parsePlace(`${id}-${bucket}`)
}

function parsePlace(text: string): Place {
  const [ms = 0, sequence = 0, bucket = 0] = text.split('-').map(Number)
  return { ms, sequence, bucket }
}
