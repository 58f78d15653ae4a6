# An event module for OTOBO, Znuny and OTRS: tells Fieldfare of a ticket at the end of the request.
# It lives in Custom/Kernel/System/Ticket/Event/FieldfareEmit.pm of the ticket system.

package Kernel::System::Ticket::Event::FieldfareEmit;

use strict;
use warnings;

use IO::Select       ();
use IO::Socket::INET ();

our @ObjectDependencies = ( 'Kernel::Config', 'Kernel::System::Log' );

my $Seconds = 2;

sub new {
    my ($Type) = @_;
    return bless {}, $Type;
}

sub Run {
    my ( $Self, %Param ) = @_;

    my $TicketID = $Param{Data}{TicketID} or return;

    # OTOBO's names of the events are understood as they are.
    my @Event = ( type => $Param{Event}, ticket_id => $TicketID );
    push @Event, user_id => $Param{UserID} if $Param{UserID};

    # The screen decides who owns a value. Where no request is at hand, the worker tells it from
    # the ticket's history.
    my $Screen = eval {
        $Kernel::OM->Get('Kernel::System::Web::Request')->GetParam( Param => 'Action' );
    };
    push @Event, screen => $Screen if $Screen && $Screen =~ m{\A \w{1,200} \z}xms;

    return 1 if eval { _Send( 'XADD', 'fieldfare:events', '*', @Event ) };

    # The request must not fail for it: the worker's sweep finds the ticket in its history.
    $Kernel::OM->Get('Kernel::System::Log')->Log(
        Priority => 'error',
        Message  => "Fieldfare was not told of ticket $TicketID: $@",
    );
    return;
}

# One command in Redis' own protocol; so no module has to be installed.
sub _Send {
    my (@Command) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $Redis  = $Kernel::OM->Get('Kernel::Config')->Get('Fieldfare::Redis') || {};
    my $Socket = IO::Socket::INET->new(
        PeerAddr => $Redis->{Host} || '127.0.0.1',
        PeerPort => $Redis->{Port} || 6379,
        Timeout  => $Seconds,
    ) or die "no connection to Redis\n";

    my @Auth = grep { defined && length } @{$Redis}{qw(User Password)};
    for my $Call ( ( @Auth ? [ 'AUTH', @Auth ] : () ), \@Command ) {
        my @Words = @{$Call};
        utf8::encode($_) for @Words;
        print {$Socket} '*', scalar @Words, "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @Words;
        $Socket->flush();
        IO::Select->new($Socket)->can_read($Seconds) or die "no answer from Redis\n";
        my $Answer = <$Socket> // '';
        die "Redis refused\n" if $Answer !~ m{\A [+\$:]}xms;
    }
    return 1;
}

1;
