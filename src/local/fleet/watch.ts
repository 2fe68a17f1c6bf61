/** Shows a fleet while it runs: on one screen with keys where there is a terminal, else as a line for each change. */
import { setTimeout as delay } from 'node:timers/promises'
import type { BalancerKind } from './balancer.ts'
import type { Fleet, FleetPart } from './fleet.ts'
import { type Load, startLoad } from './load.ts'
import { drawScreen } from './screen.ts'
import { describeChanges, takeSnapshot } from './snapshot.ts'
import { takeTerminal } from './terminal.ts'

export interface WatchOptions {
  readonly fleet: Fleet
  readonly kind: BalancerKind
  /** The watcher wants it all to end. */
  readonly onQuit: () => void
}

const lookIntervalMs = 500
const keptEvents = 100

/** @returns what ends the watching and gives the terminal back */
export async function watchFleet(options: WatchOptions): Promise<() => Promise<void>> {
  const { fleet, kind, onQuit } = options
  const { stdin: input, stdout: output } = process
  const hasTerminal = input.isTTY && output.isTTY
  const keys = keysOf(fleet)
  const events: string[] = []
  const stopping = new AbortController()
  let load: Load | undefined
  let snapshot = await takeSnapshot(fleet)

  const tell = (line: string) => {
    const stamped = `${new Date().toTimeString().slice(0, 8)}  ${line}`
    if (events.push(stamped) > keptEvents) events.shift()
    if (!hasTerminal) output.write(`${stamped}\n`)
  }

  async function toggle(part: FleetPart): Promise<void> {
    tell(`${part.isUp() ? 'killing' : 'reviving'} ${part.name}`)
    await (part.isUp() ? part.kill() : part.revive())
  }

  async function press(key: string): Promise<void> {
    const part = partsOf(fleet).find(({ name }) => keys.get(name) === key)
    if (part) return toggle(part)
    switch (key) {
      case 'p': {
        const primary = await fleet.primary()
        tell(primary ? `killing the primary, ${primary.name}` : 'no sentinel says which one is the primary')
        return primary?.kill()
      }
      case 'l': {
        const running = load
        load = running ? undefined : startLoad({ url: fleet.url })
        return running?.stop()
      }
      case 'q':
      case 'ctrl-c':
        return onQuit()
    }
  }

  const draw = () =>
    terminal?.show(
      drawScreen({ url: fleet.url, kind, snapshot, events, load: load?.tally(), rows: terminal.rows(), keys }),
    )
  const terminal = hasTerminal
    ? takeTerminal({
        input,
        output,
        onResize: draw,
        onKey: (key) =>
          void press(key)
            .catch((error: unknown) => tell(`that failed: ${String(error).split('\n', 1)[0]}`))
            .finally(draw),
      })
    : undefined

  async function look(): Promise<void> {
    while (!stopping.signal.aborted) {
      const now = await takeSnapshot(fleet, snapshot)
      // What ends now is not news.
      if (stopping.signal.aborted) return
      for (const line of describeChanges(snapshot, now)) tell(line)
      snapshot = now
      draw()
      await delay(lookIntervalMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  if (terminal === undefined) tell(`the primary is ${snapshot.primary}; ${describeParts(fleet)}`)
  const looking = look()
  return async () => {
    stopping.abort()
    terminal?.restore()
    output.write('Ending…\n')
    await Promise.allSettled([load?.stop(), looking])
  }
}

function partsOf({ servers, redis, sentinels, balancer }: Fleet): FleetPart[] {
  return [...servers, ...redis, ...sentinels, balancer]
}

function keysOf({ servers, redis, sentinels, balancer }: Fleet): Map<string, string> {
  const keyed = (parts: readonly FleetPart[], letters: string) =>
    parts.map((part, index): [string, string] => [part.name, letters[index] ?? ''])
  return new Map([
    ...keyed(servers, '123456789'),
    ...keyed(redis, 'abc'),
    ...keyed(sentinels, 'xyz'),
    ...keyed([balancer], 'n'),
  ])
}

/** So that whoever has no keys can kill by process id. */
function describeParts(fleet: Fleet): string {
  return partsOf(fleet)
    .map((part) => `${part.name} is process ${part.pid()}`)
    .join(', ')
}
