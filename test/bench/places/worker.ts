/** A Worker in workerd. What it logs is read and forgotten, as it costs whoever runs it. */
import { z } from 'zod'
import { startWorkerd } from '../../../src/local/workerd-process.ts'
import { bePlace } from './place.ts'

const settings = z.object({
  bundle: z.object({ folder: z.string(), modules: z.array(z.string()) }),
  env: z.record(z.string(), z.string()),
  port: z.number(),
  inspect: z.boolean().optional(),
})

bePlace(settings, async (asked) => {
  const worker = await startWorkerd({ ...asked, onLine: () => undefined })
  return { ready: { url: worker.url, pid: worker.pid, inspector: worker.inspector }, stop: () => worker.stop() }
})
