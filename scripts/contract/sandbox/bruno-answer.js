const status = res.getStatus();
const given = res.getBody();
const body = typeof given === 'string' ? given : JSON.stringify(given || '');
