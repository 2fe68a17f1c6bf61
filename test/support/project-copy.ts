import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { projectRoot } from '../../src/local/project.ts'

/** The project's sources in a folder of their own, with the installed packages. It goes with the test. */
export async function copyOfProject(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'latchkey-project-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  for (const name of ['src', 'keys', 'package.json', 'wrangler.toml'])
    await cp(join(projectRoot, name), join(root, name), { recursive: true })
  await symlink(join(projectRoot, 'node_modules'), join(root, 'node_modules'))
  return root
}
