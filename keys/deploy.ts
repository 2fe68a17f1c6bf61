/** `npm run deploy`: ships the Worker, once `doctor` and a dry run have found nothing wrong. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Command } from 'commander'
import { localFolder, projectRoot } from '../src/local/project.ts'
import { BuildError, buildWorker } from '../src/local/worker-bundle.ts'
import { exitCodes, Refusal } from './answer.ts'
import { describeFindings, examine, exitCodeOf } from './commands/doctor.ts'
import { createConsent } from './consent.ts'
import { runProgram } from './program.ts'
import { readProduction, secretNames, type Target } from './target.ts'

interface Options {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const explanation = `
1. Checks what wrangler.toml configures, as npm run keys -- doctor does, with the secrets that the shell has:
   LATCHKEY_SECRET, UPSTASH_REDIS_REST_TOKEN and, while the secret is being rotated, LATCHKEY_SECRET_PREVIOUS.
   It does not put them: npx wrangler secret put does. What was put must be the same.
2. Builds the Worker as wrangler would deploy it.
3. Runs wrangler deploy.

A problem in 1 or 2 ends it; a warning is asked about, unless --yes.

Examples:
  npm run deploy
  npm run deploy -- --dry-run

Exit codes:  0 deployed   1 refused, or a problem found   2 wrong usage   3 store unavailable; else that of wrangler`

async function deploy({ dryRun = false, yes }: Options): Promise<void> {
  const target = await readProduction(process.env, secretNames)
  checkShellAgrees(target)
  process.stdout.write(`Checking ${target.name}; its store is ${target.store}.\n`)
  const findings = await examine(target)
  process.stdout.write(`${describeFindings(findings)}\n`)
  const exitCode = exitCodeOf(findings)
  if (exitCode !== exitCodes.done) throw new Refusal('Not deployed: there are problems.', exitCode)
  await build()
  if (dryRun) return void process.stdout.write('Everything is ready to be deployed.\n')
  const warnings = findings.filter(({ status }) => status === 'warning').length
  if (warnings > 0) await createConsent({ yes })(`Deploys in spite of ${warnings} warning${warnings > 1 ? 's' : ''}.`)
  process.exitCode = await runWrangler()
}

/** The shell's address would be checked, and that of the file deployed. @throws {Refusal} */
function checkShellAgrees({ env }: Target): void {
  const named = process.env['UPSTASH_REDIS_REST_URL']
  if (named && named !== env['UPSTASH_REDIS_REST_URL'])
    throw new Refusal(
      'Not deployed: UPSTASH_REDIS_REST_URL of the shell is not that of wrangler.toml, which would be used.',
    )
}

/** @throws {Refusal} */
async function build(): Promise<void> {
  process.stdout.write('Building the Worker…\n')
  try {
    await buildWorker(join(localFolder, 'worker-deploy'))
  } catch (error) {
    if (error instanceof BuildError) throw new Refusal(`Not deployed: it cannot be built. ${error.message}`)
    throw error
  }
}

async function runWrangler(): Promise<number> {
  const wrangler = join(projectRoot, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
  const child = spawn(process.execPath, [wrangler, 'deploy'], { cwd: projectRoot, stdio: 'inherit' })
  const [code] = await once(child, 'close')
  return typeof code === 'number' ? code : exitCodes.refused
}

const program = new Command('npm run deploy --')
  .description('Ships the Worker, once the configuration, the store and a dry run have been found right.')
  .option('--dry-run', 'stop before the last step')
  .option('--yes', 'deploy in spite of warnings without asking')
  .exitOverride()
  .addHelpText('after', explanation)
  .action(deploy)

await runProgram(program)
