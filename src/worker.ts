/** Entry of the Worker: reads the configuration and builds the parts, once per isolate. */
import type { Hono } from 'hono'
import { createApp } from './app.ts'
import { parseConfig } from './config.ts'
import { toWire } from './failure.ts'
import type { Env } from './http/context.ts'
import { createLog } from './log.ts'
import { createParts, type Parts } from './parts.ts'
import { systemClock, type Clock } from './system.ts'

interface Service {
  readonly parts: Parts
  readonly app: Hono<Env>
}

/** `clock` is the system's, except in tests that move it. */
export function createWorker(clock: Clock): ExportedHandler<Record<string, unknown>> {
  const log = createLog(console.log, clock)
  let built: Service | undefined

  /** Undefined when the configuration is refused: then nothing is served. */
  async function service(env: Readonly<Record<string, unknown>>): Promise<Service | undefined> {
    if (built) return built
    const config = parseConfig(env)
    if (!config.ok) {
      for (const detail of config.problems) log.event('config.refused', { detail })
      return undefined
    }
    const parts = await createParts(config.value, clock)
    // Requests that arrive together at a cold isolate build their own; one is kept.
    built ??= { parts, app: createApp(parts) }
    return built
  }

  return {
    async fetch(request, env, ctx) {
      const ready = await service(env)
      if (!ready) return refused()
      const answer = Promise.resolve(ready.app.fetch(request))
      // A request goes on to its end when its client hangs up: no turn at the hasher or trial of the store stays open.
      ctx.waitUntil(answer)
      return answer
    },

    /** Cron: adds the signing key that is due. */
    async scheduled(_event, env) {
      const ready = await service(env)
      await ready?.parts.keyRing.tend()
    },
  }
}

/** The log has every problem; the answer none. */
function refused(): Response {
  const { status, code, title } = toWire({ reason: 'misconfigured' })
  return Response.json(
    { type: 'about:blank', status, code, title },
    { status, headers: { 'Content-Type': 'application/problem+json' } },
  )
}

export default createWorker(systemClock)
