/** Where a call's time goes in workerd: which package's code its CPU runs, by workerd's own profiler. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { measure } from './measure.ts'
import { profiled } from './items/latchkey.ts'
import { inTurn, type RoundsOptions } from './rounds.ts'

/** Of an operation: the share of each package in the CPU's time, from 0 to 1. */
export interface Profile {
  readonly name: string
  readonly shares: ReadonlyMap<string, number>
}

/** Enough that workerd is seldom idle. */
const callers = 8
const warmUpMs = 1000
const profileMs = 3000
const sampleMicroseconds = 200

/** As the Chrome DevTools Protocol has it (Profiler domain): times are microseconds, lines count from 0. */
const profileAnswer = z.object({
  profile: z.object({
    nodes: z.array(
      z.object({
        id: z.number(),
        callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      }),
    ),
    samples: z.array(z.number()),
    timeDeltas: z.array(z.number()),
  }),
})
type CpuProfile = z.infer<typeof profileAnswer>['profile']

const answerOf = z.object({ id: z.number().optional(), result: z.unknown().optional() })

/** Who a function of the bundle belongs to, by its line. */
type OwnerOf = (line: number) => string

export async function measureProfiles(options: Omit<RoundsOptions, 'items' | 'rounds' | 'ms'>): Promise<Profile[]> {
  const { stage, onProgress } = options
  const { inspector, bundle } = await stage.inspected()
  const ownerOf = await readOwners(join(bundle.folder, bundle.modules[0] ?? ''))
  const profiles: Profile[] = []
  await inTurn(profiled, options, async (item) => {
    onProgress(`profile: ${item.name}`)
    const prepared = await item.prepare(stage, callers)
    await prepared.refill?.({ callers, ms: warmUpMs })
    await measure(prepared, { callers, ms: warmUpMs })
    const profile = await recordProfile(inspector, () => measure(prepared, { callers, ms: profileMs }))
    profiles.push({ name: item.name, shares: sharesOf(profile, ownerOf) })
  })
  return profiles
}

/** esbuild names each module in a comment before its code. */
async function readOwners(file: string): Promise<OwnerOf> {
  let owner = 'latchkey'
  const owners = (await readFile(file, 'utf8')).split('\n').map((line) => {
    const [, path] = /^\/\/ (\S+\.\w+)$/.exec(line) ?? []
    if (path !== undefined) owner = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? 'latchkey'
    return owner
  })
  return (line) => owners[line] ?? 'latchkey'
}

/** The time in which it waits for work is left out. */
export function sharesOf({ nodes, samples, timeDeltas }: CpuProfile, ownerOf: OwnerOf): Map<string, number> {
  const owners = new Map(nodes.map(({ id, callFrame }) => [id, ownerOfFrame(callFrame, ownerOf)]))
  const times = new Map<string, number>()
  let busy = 0
  for (const [i, sample] of samples.entries()) {
    const owner = owners.get(sample)
    const took = Math.max(timeDeltas[i] ?? 0, 0)
    if (owner === undefined) continue
    busy += took
    times.set(owner, (times.get(owner) ?? 0) + took)
  }
  return new Map([...times].map(([owner, took]) => [owner, took / busy]))
}

function ownerOfFrame({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame'], ownerOf: OwnerOf) {
  if (functionName === '(idle)') return undefined
  if (functionName === '(garbage collector)') return 'garbage collection'
  return url === '' ? 'workerd' : ownerOf(lineNumber)
}

async function recordProfile(inspector: string, act: () => Promise<unknown>): Promise<CpuProfile> {
  const [target] = z
    .array(z.object({ webSocketDebuggerUrl: z.string() }))
    .parse(await (await fetch(`${inspector}/json`)).json())
  if (!target) throw new Error('workerd has nothing to inspect')
  const socket = new WebSocket(target.webSocketDebuggerUrl)
  await once(socket, 'open')
  const answers = new Map<number, PromiseWithResolvers<unknown>>()
  socket.addEventListener('message', ({ data }) => {
    const { id = 0, result } = answerOf.parse(JSON.parse(String(data)))
    answers.get(id)?.resolve(result)
  })
  const ask = (method: string, params = {}): Promise<unknown> => {
    const answer = Promise.withResolvers<unknown>()
    const id = answers.size + 1
    answers.set(id, answer)
    socket.send(JSON.stringify({ id, method, params }))
    return answer.promise
  }
  try {
    await ask('Profiler.enable')
    await ask('Profiler.setSamplingInterval', { interval: sampleMicroseconds })
    await ask('Profiler.start')
    await act()
    return profileAnswer.parse(await ask('Profiler.stop')).profile
  } finally {
    socket.close()
  }
}
