/** The Worker as it ships, with a clock that tests can move: `POST /test/clock` with the milliseconds to add. */
import { createWorker } from '../../src/worker.ts'

let offsetMs = 0
const worker = createWorker({ nowMs: () => Date.now() + offsetMs })

export default {
  ...worker,
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== '/test/clock') return worker.fetch?.(request, env, ctx) ?? Response.error()
    offsetMs += Number(await request.text())
    return new Response(null, { status: 204 })
  },
} satisfies ExportedHandler<Record<string, unknown>>
