/** Five servers behind a balancer, on a Redis that fails over. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { startFleet } from '../../../src/local/fleet/start-fleet.ts'
import { bePlace } from './place.ts'

const settings = z.object({
  bundle: z.object({ folder: z.string(), modules: z.array(z.string()) }),
  env: z.record(z.string(), z.string()),
})

bePlace(settings, async ({ bundle, env }) => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-fleet-'))
  const fleet = await startFleet({ bundle, folder, env })
  return {
    ready: { url: fleet.url, env: { ...fleet.env, API_CLIENT_SECRET: fleet.apiSecret } },
    async stop() {
      await fleet.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
