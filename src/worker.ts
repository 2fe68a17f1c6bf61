/** Entry of the Worker: reads the configuration and builds the parts, once per isolate. */
import type { Hono } from 'hono'
import { createApp } from './app.ts'
import { parseConfig } from './config.ts'
import { readAssets } from './endpoints/page.ts'
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
  let built: Service | 'refused' | undefined

  async function service(env: Readonly<Record<string, unknown>>): Promise<Service | 'refused'> {
    // Requests that arrive together at a cold isolate build their own; one is kept.
    const made = built ?? (await build(env))
    built ??= made
    return built
  }

  /** A configuration that is refused is told once, and then nothing is served. */
  async function build(env: Readonly<Record<string, unknown>>): Promise<Service | 'refused'> {
    const config = parseConfig(env)
    if (config.ok) {
      const parts = await createParts(config.value, clock, readAssets(env))
      return { parts, app: createApp(parts) }
    }
    for (const detail of config.problems) log.event('config.refused', { detail })
    return 'refused'
  }

  return {
    async fetch(request, env, ctx) {
      const ready = built ?? (await service(env))
      if (ready === 'refused') return refusal()
      return ready.app.fetch(request, env, ctx)
    },

    /** Cron: adds the signing key that is due. */
    async scheduled(_event, env) {
      const ready = await service(env)
      if (ready !== 'refused') await ready.parts.keyRing.tend()
    },
  }
}

/** The log has every problem; the answer none. */
function refusal(): Response {
  const { status, code, title } = toWire({ reason: 'misconfigured' })
  const requestId = crypto.randomUUID()
  const headers = {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
  }
  return Response.json({ type: 'about:blank', status, code, title, request_id: requestId }, { status, headers })
}

export default createWorker(systemClock)
