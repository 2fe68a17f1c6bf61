/** A Worker in workerd. What it logs is read and forgotten, as it costs whoever runs it. */
import { z } from 'zod'
import { startWorkerd } from '../../../src/local/workerd-process.ts'
import { bePlace } from './place.ts'

const settings = z.object({
  bundle: z.object({ folder: z.string(), modules: z.array(z.string()) }),
  env: z.record(z.string(), z.string()),
  port: z.number(),
})

bePlace(settings, async ({ bundle, env, port }) => {
  const worker = await startWorkerd({ bundle, env, port, onLine: () => undefined })
  return { ready: { url: worker.url, pid: worker.pid }, stop: () => worker.stop() }
})
