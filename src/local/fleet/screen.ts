/** The fleet on one screen of text: who is up, who has answered what, and where the primary is. */
import { styleText } from 'node:util'
import Table from 'cli-table3'
import type { BalancerKind } from './balancer.ts'
import type { LoadTally } from './load.ts'
import type { PartView, RedisView, ServerView, Snapshot } from './snapshot.ts'

export interface ScreenOptions {
  readonly url: string
  readonly kind: BalancerKind
  readonly snapshot: Snapshot
  /** Newest last. */
  readonly events: readonly string[]
  readonly load: LoadTally | undefined
  readonly rows: number
  /** By the part's name, the key that kills or revives it. */
  readonly keys: ReadonlyMap<string, string>
}

/** The lines of the screen, at most `rows`, at most 80 columns wide as long as numbers stay small. */
export function drawScreen(options: ScreenOptions): string[] {
  const { url, kind, snapshot, events, load, rows, keys } = options
  const keyOf = ({ name }: PartView) => keys.get(name) ?? ''
  const top = [
    `${bold('Latchkey fleet')}  ${url}  ${faint(`${kind}, ${snapshot.servers.length} servers, bridge, 3 Redis, 3 sentinels`)}`,
    faint(`  curl -si ${url}/readyz | grep -i x-served-by`),
    '',
    ...drawTable([
      ['', 'server', '', 'process', '>requests', '>4xx', '>5xx', '>per second'],
      ...snapshot.servers.map((server) => [keyOf(server), server.name, upOrDown(server), ...serverCells(server)]),
      ...unservedRow(snapshot),
    ]),
    '',
    ...drawTable([
      ['', 'redis', '', 'process', 'role', '>behind'],
      ...snapshot.redis.map((redis) => [keyOf(redis), redis.name, upOrDown(redis), ...redisCells(redis)]),
    ]),
    '',
    [...snapshot.sentinels, snapshot.balancer]
      .map((part) => `${keyOf(part)} ${part.name} ${upOrDown(part)}`)
      .join('   '),
    faint(snapshot.primary ? `the sentinels' primary: ${snapshot.primary}` : 'no sentinel answers'),
    '',
  ]
  const bottom = ['', describeLoad(load), faint(help(snapshot.servers.length))]
  const room = Math.max(0, rows - top.length - bottom.length)
  return [...top, ...lastOf(events, room), ...bottom].slice(0, rows)
}

const noLines = Object.fromEntries(
  ['top', 'bottom', 'left', 'right']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .concat('mid', 'mid-mid', 'middle')
    .map((name) => [name, '']),
)

const bold = (text: string) => styleText('bold', text)
const faint = (text: string) => styleText('dim', text)

function upOrDown({ pid }: PartView): string {
  return pid === undefined ? styleText('red', 'down') : styleText('green', 'up')
}

function serverCells({ pid, counts, requestsPerSecond }: ServerView): string[] {
  const { requests, refusals, failures } = counts
  return [String(pid ?? ''), String(requests), String(refusals), String(failures), requestsPerSecond.toFixed(0)]
}

/** Requests that reached no server are of interest only when there are some. */
function unservedRow({ unserved: { requests, refusals, failures } }: Snapshot): string[][] {
  return requests === 0 ? [] : [['', 'nobody', '', '', String(requests), String(refusals), String(failures), '']]
}

function redisCells({ pid, state, behindBytes }: RedisView): string[] {
  const role = state === 'primary' ? bold(state) : state
  return [String(pid ?? ''), role, behindBytes === undefined ? '' : `${behindBytes} B`]
}

function describeLoad(load: LoadTally | undefined): string {
  if (load === undefined) return faint('no load (l starts some)')
  const { calls, cured, failed, lost } = load
  const worst = failed + lost === 0 ? 'green' : 'red'
  return `load: ${calls} calls, ${cured} cured by one retry, ${styleText(worst, `${failed} failed twice, ${lost} sessions lost`)}`
}

function help(servers: number): string {
  return `1-${servers} a-c x-z n kill or revive · p kill the primary · l load · q quit`
}

const lastOf = (lines: readonly string[], count: number) => (count === 0 ? [] : lines.slice(-count))

/** A head that begins with > is that of a column set to the right. */
function drawTable([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const table = new Table({
    head: head.map((title) => faint(title.replace(/^>/u, ''))),
    colAligns: head.map((title) => (title.startsWith('>') ? 'right' : 'left')),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: noLines,
  })
  table.push(...rows.map((row) => [...row]))
  return table.toString().split('\n')
}
