/** Ends the fleet's processes when this one is killed and can no longer do so. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Guardian {
  readonly add: (pid: number) => void
  /** To be called as soon as the process is gone, since numbers are given again. */
  readonly remove: (pid: number) => void
  /** Ends the guardian, and with it whatever is still on its list. */
  readonly close: () => Promise<void>
}

/** Its input ends with this process, however that ends. What it kills then is safe to kill: all of it survives a crash. */
const script = `
trap '' INT HUP TERM
pids=
while read -r act pid; do
  kept=
  for each in $pids; do [ "$each" = "$pid" ] || kept="$kept $each"; done
  pids=$kept
  [ "$act" = add ] && pids="$pids $pid"
done
[ -z "$pids" ] || kill -9 $pids
`

/** Starts a shell that waits. It is out of reach for the terminal's Ctrl-C. */
export async function startGuardian(): Promise<Guardian> {
  const shell = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  const exited = once(shell, 'exit')
  exited.catch(() => undefined)
  await once(shell, 'spawn')
  // Should somebody have ended it, there is nothing to tell.
  shell.stdin.on('error', () => undefined)
  // It must not keep this process alive.
  shell.unref()
  return {
    add: (pid) => void shell.stdin.write(`add ${pid}\n`),
    remove: (pid) => void shell.stdin.write(`remove ${pid}\n`),
    async close() {
      shell.ref()
      shell.stdin.end()
      await exited
    },
  }
}
