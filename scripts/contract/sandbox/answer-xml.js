// An error is an XML document; 200 has no body.
const text = (name) => (new RegExp(`<${name}>([^<]*)</${name}>`).exec(body) || ['', ''])[1];
const typed = /<Error>/.test(body) && text('Code') !== '' && text('Message') !== '';
const answer = { accepted: status === 200 && body === '', typed, code: text('Code'), message: text('Message') };
