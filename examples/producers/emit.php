<?php
// Tell Fieldfare that a ticket was created. Needs the extension redis (Debian: php-cli, php-redis).
// Usage: REDIS_HOST=127.0.0.1 REDIS_PORT=6379 php emit.php TICKET_ID
// Where Redis asks for a user: REDIS_USER=producer REDIS_PASSWORD=password
$redis = new Redis();
$redis->connect(getenv('REDIS_HOST') ?: '127.0.0.1', (int) (getenv('REDIS_PORT') ?: 6379), 2.0);
if (getenv('REDIS_PASSWORD')) {
    $redis->auth([getenv('REDIS_USER') ?: 'default', getenv('REDIS_PASSWORD')]);
}
$entry = $redis->xAdd('fieldfare:events', '*', [
    'type' => 'ticket.created',
    'ticket_id' => $argv[1],
]);
if ($entry === false) {
    fwrite(STDERR, $redis->getLastError() . "\n");
    exit(1);
}
echo $entry, "\n";
