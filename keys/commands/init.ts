import { join } from 'node:path'
import type { Answer } from '../answer.ts'
import type { Consent } from '../consent.ts'
import { freshSecret, hasSecret, putSecret } from '../secret-file.ts'

/** Makes a fresh secret: into `.dev.vars` of the folder, or printed and kept nowhere. */
export async function init(
  { folder, print }: { readonly folder: string; readonly print: boolean },
  consent: Consent,
): Promise<Answer> {
  const secret = freshSecret()
  if (print) return { text: secret, json: { secret } }
  const file = join(folder, '.dev.vars')
  const replaces = await hasSecret(file)
  if (replaces)
    await consent(
      'Replaces LATCHKEY_SECRET in .dev.vars. The one that is there becomes LATCHKEY_SECRET_PREVIOUS, so the local stack goes ' +
        'on with its sessions and keys; a previous one that is there is lost, with all that still needs it.',
    )
  await putSecret(file, secret)
  const after = replaces ? ' Start npm start again, then run npm run keys -- reseal.' : ''
  return {
    text: `Made a fresh secret in .dev.vars, readable by its owner only.${after}`,
    json: { file: '.dev.vars', replaced: replaces },
  }
}
