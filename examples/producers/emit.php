<?php
// Tell Fieldfare that a ticket was created. Needs the extension redis (Debian: php-redis).
// Usage: php emit.php TICKET_ID
$redis = new Redis();
$redis->connect(getenv('REDIS_HOST') ?: '127.0.0.1', (int) (getenv('REDIS_PORT') ?: 6379));
echo $redis->xAdd('fieldfare:events', '*', [
    'type' => 'ticket.created',
    'ticket_id' => $argv[1],
]), "\n";
