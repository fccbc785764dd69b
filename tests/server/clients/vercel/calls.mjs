// The AI SDK makes a video through OpenRouter's provider, which polls and fetches it by itself.
import { experimental_generateVideo as generateVideo } from 'ai';
import { createOpenRouter } from '@openrouter/ai-sdk-provider';

const [address, key] = process.argv.slice(2);
const openrouter = createOpenRouter({ baseURL: `${address}/api/v1`, apiKey: key });

function say(call, outcome) {
  console.log(JSON.stringify({ call, outcome: outcome.slice(0, 300) }));
}

// The SDK's own download takes no loopback address. This one does, and sends no key either.
async function download({ url, abortSignal }) {
  const answer = await fetch(url, { signal: abortSignal });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return { data: new Uint8Array(await answer.arrayBuffer()), mediaType: 'video/mp4' };
}

function make(name, more) {
  return generateVideo({
    model: openrouter.videoModel(name, { pollIntervalMs: 1000, maxPollTimeMs: 1800000 }),
    prompt: 'a red circle moves right',
    resolution: '64x64',
    seed: 1,
    maxRetries: 0,
    download,
    ...more,
  });
}

try {
  const { video, providerMetadata } = await make('doodle', {});
  say('create', 'works');
  say('poll', providerMetadata.openrouter.generationId ? 'works' : 'no id of the generation');
  const begin = String.fromCharCode(...video.uint8Array.slice(4, 8));
  say('fetch', begin === 'ftyp' ? 'works' : `no mp4: ${begin}`);
} catch (error) {
  say('create', `${error.name}: ${error.message}`);
}
try {
  await make('doodel', {});
  say('error', 'no error');
} catch (error) {
  say('error', error.message.includes('doodel') ? 'works' : `${error.name}: ${error.message}`);
}
for (const call of ['list', 'delete']) say(call, 'none: the client has no such call');
