/** How long a button says that it has copied. */
const SAID_MS = 2000

/** Copies a text when the button is pressed, and says so on it. */
export function copyOnPress(
  button: HTMLButtonElement,
  text: () => Promise<string> | string,
  announce: (text: string) => void,
): void {
  const label = button.textContent ?? ''
  button.addEventListener('click', async () => {
    const said = await copy(text)
    button.textContent = said
    announce(said)
    setTimeout(() => (button.textContent = label), SAID_MS)
  })
}

async function copy(text: () => Promise<string> | string): Promise<string> {
  try {
    await navigator.clipboard.writeText(await text())
    return 'Copied'
  } catch {
    return 'It could not be copied'
  }
}
