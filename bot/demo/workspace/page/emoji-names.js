/** Shortcodes a team's chat uses, as `name` to character. Names as Slack spells them. */

const TABLE = `
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|100 💯|alarm_clock ⏰|ambulance 🚑|anchor ⚓|angry 😠|apple 🍎|arrow_down ⬇️|
arrow_down_small 🔽|arrow_forward ▶️|arrow_backward ◀️|arrow_heading_down ⤵️|arrow_heading_up ⤴️|arrow_left ⬅️|
arrow_lower_right ↘️|arrow_right ➡️|arrow_right_hook ↪️|leftwards_arrow_with_hook ↩️|arrow_up ⬆️|arrow_up_down ↕️|
arrow_up_small 🔼|arrow_upper_right ↗️|arrows_clockwise 🔃|arrows_counterclockwise 🔄|astonished 😲|balloon 🎈|
ballot_box_with_check ☑️|bangbang ‼️|bank 🏦|bar_chart 📊|battery 🔋|low_battery 🪫|beers 🍻|beer 🍺|bell 🔔|beetle 🪲|
birthday 🎂|black_circle ⚫|black_large_square ⬛|black_small_square ▪️|black_square_for_stop ⏹️|blue_heart 💙|
blush 😊|bomb 💣|book 📖|bookmark 🔖|books 📚|boom 💥|collision 💥|briefcase 💼|broken_heart 💔|bug 🐛|
building_construction 🏗️|bulb 💡|bust_in_silhouette 👤|busts_in_silhouette 👥|cake 🍰|calendar 📆|date 📅|calling 📲|
camera 📷|card_file_box 🗃️|card_index_dividers 🗂️|chains ⛓️|chart 💹|chart_with_downwards_trend 📉|
chart_with_upwards_trend 📈|checkered_flag 🏁|clap 👏|clipboard 📋|clock1 🕐|clock10 🕙|clock11 🕚|clock12 🕛|
clock130 🕜|clock2 🕑|clock230 🕝|clock3 🕒|clock330 🕞|clock4 🕓|clock430 🕟|clock5 🕔|clock530 🕠|clock6 🕕|
clock630 🕡|clock7 🕖|clock730 🕢|clock8 🕗|clock830 🕣|clock9 🕘|clock930 🕤|clock1030 🕥|clock1130 🕦|
clock1230 🕧|mantelpiece_clock 🕰️|cloud ☁️|coffee ☕|computer 💻|confetti_ball 🎊|confused 😕|
construction 🚧|construction_worker 👷|control_knobs 🎛️|cop 👮|crescent_moon 🌙|crossed_fingers 🤞|cry 😢|
crystal_ball 🔮|cyclone 🌀|dart 🎯|desktop_computer 🖥️|detective 🕵️|dizzy 💫|dizzy_face 😵|dollar 💵|
double_vertical_bar ⏸️|pause_button ⏸️|droplet 💧|dvd 📀|ear 👂|earth_africa 🌍|earth_americas 🌎|earth_asia 🌏|
electric_plug 🔌|email 📧|envelope ✉️|e-mail 📧|envelope_with_arrow 📩|exclamation ❗|
heavy_exclamation_mark ❗|grey_exclamation ❕|eyes 👀|eye 👁️|face_palm 🤦|face_with_monocle 🧐|
facepunch 👊|fast_forward ⏩|rewind ⏪|file_cabinet 🗄️|file_folder 📁|open_file_folder 📂|fire 🔥|fire_engine 🚒|
fire_extinguisher 🧯|firefighter 🧑‍🚒|first_place_medal 🥇|second_place_medal 🥈|third_place_medal 🥉|fist ✊|
floppy_disk 💾|flushed 😳|four_leaf_clover 🍀|fuelpump ⛽|gear ⚙️|gem 💎|ghost 👻|gift 🎁|globe_with_meridians 🌐|
goal_net 🥅|green_book 📗|green_heart 💚|grey_question ❔|grimacing 😬|grin 😁|grinning 😀|hammer 🔨|
hammer_and_pick ⚒️|hammer_and_wrench 🛠️|hand ✋|raised_hand ✋|handshake 🤝|hatching_chick 🐣|headphones 🎧|
heart ❤️|heart_eyes 😍|heartbeat 💓|heartpulse 💗|heavy_check_mark ✔️|heavy_minus_sign ➖|heavy_plus_sign ➕|
heavy_multiplication_x ✖️|helmet_with_white_cross ⛑️|hospital 🏥|hotsprings ♨️|hourglass ⌛|
hourglass_flowing_sand ⏳|house 🏠|hugging_face 🤗|hushed 😯|ice_cube 🧊|inbox_tray 📥|outbox_tray 📤|
incoming_envelope 📨|information_source ℹ️|innocent 😇|interrobang ⁉️|joy 😂|key 🔑|keyboard ⌨️|label 🏷️|
ladybug 🐞|large_blue_circle 🔵|blue_circle 🔵|large_blue_diamond 🔷|large_blue_square 🟦|large_brown_circle 🟤|
large_brown_square 🟫|large_green_circle 🟢|large_green_square 🟩|large_orange_circle 🟠|large_orange_diamond 🔶|
large_orange_square 🟧|large_purple_circle 🟣|large_purple_square 🟪|large_red_square 🟥|large_yellow_circle 🟡|
large_yellow_square 🟨|latin_cross ✝️|laughing 😆|leaves 🍃|ledger 📒|lightning ⚡|zap ⚡|link 🔗|lock 🔒|
lock_with_ink_pen 🔏|loop ➿|loud_sound 🔊|loudspeaker 📢|mag 🔍|mag_right 🔎|mailbox 📫|mega 📣|memo 📝|pencil 📝|
microscope 🔬|minidisc 💽|money_with_wings 💸|moneybag 💰|moon 🌔|muscle 💪|mute 🔇|sound 🔉|speaker 🔈|nerd_face 🤓|
neutral_face 😐|new 🆕|newspaper 📰|night_with_stars 🌃|no_bell 🔕|no_entry ⛔|no_entry_sign 🚫|nut_and_bolt 🔩|o ⭕|
ocean 🌊|ok 🆗|ok_hand 👌|old_key 🗝️|open_hands 👐|open_mouth 😮|orange_book 📙|orange_heart 🧡|package 📦|
page_facing_up 📄|page_with_curl 📃|pager 📟|paperclip 📎|partly_sunny ⛅|party_popper 🎉|tada 🎉|partying_face 🥳|
pencil2 ✏️|pensive 😔|phone ☎️|telephone ☎️|telephone_receiver 📞|iphone 📱|pick ⛏️|pill 💊|pineapple 🍍|pizza 🍕|
point_down 👇|point_left 👈|point_right 👉|point_up ☝️|point_up_2 👆|poop 💩|hankey 💩|pray 🙏|printer 🖨️|
purple_heart 💜|pushpin 📌|round_pushpin 📍|question ❓|rabbit 🐰|rage 😡|railway_track 🛤️|rainbow 🌈|
raised_hands 🙌|recycle ♻️|red_circle 🔴|relieved 😌|repeat 🔁|repeat_one 🔂|rescue_worker_helmet ⛑️|robot_face 🤖|
robot 🤖|rocket 🚀|rolling_on_the_floor_laughing 🤣|rose 🌹|rotating_light 🚨|runner 🏃|running 🏃|sad 😞|
disappointed 😞|satellite 🛰️|satellite_antenna 📡|scales ⚖️|school 🏫|scissors ✂️|scream 😱|screwdriver 🪛|scroll 📜|
seedling 🌱|see_no_evil 🙈|shield 🛡️|ship 🚢|shrug 🤷|simple_smile 🙂|slightly_smiling_face 🙂|
slightly_frowning_face 🙁|six_pointed_star 🔯|skull 💀|skull_and_crossbones ☠️|sleeping 😴|sleepy 😪|zzz 💤|
small_blue_diamond 🔹|small_orange_diamond 🔸|small_red_triangle 🔺|small_red_triangle_down 🔻|smile 😄|smiley 😃|
smirk 😏|snail 🐌|snowflake ❄️|snowman ⛄|sob 😭|sos 🆘|sparkle ❇️|sparkles ✨|speech_balloon 💬|spider_web 🕸️|
spiral_calendar_pad 🗓️|spiral_note_pad 🗒️|star ⭐|star2 🌟|stethoscope 🩺|stop_sign 🛑|octagonal_sign 🛑|stopwatch ⏱️|
sunglasses 😎|sunny ☀️|sweat 😓|sweat_smile 😅|syringe 💉|tangerine 🍊|taxi 🚕|tea 🍵|test_tube 🧪|thermometer 🌡️|
thinking_face 🤔|thought_balloon 💭|thunder_cloud_and_rain ⛈️|ticket 🎫|timer_clock ⏲️|toolbox 🧰|top 🔝|tractor 🚜|
traffic_light 🚥|vertical_traffic_light 🚦|train 🚆|triangular_flag_on_post 🚩|triangular_ruler 📐|trophy 🏆|truck 🚚|
turtle 🐢|unamused 😒|umbrella ☔|unlock 🔓|up 🆙|upside_down_face 🙃|v ✌️|wastebasket 🗑️|warning ⚠️|watch ⌚|wave 👋|
wavy_dash 〰️|waving_white_flag 🏳️|weary 😩|whale 🐳|white_check_mark ✅|white_circle ⚪|white_large_square ⬜|
white_small_square ▫️|wind_blowing_face 🌬️|wink 😉|worried 😟|wrench 🔧|writing_hand ✍️|x ❌|yellow_heart 💛|yum 😋|
zero 0️⃣|one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|keycap_ten 🔟|a 🅰️|b 🅱️|
copyright ©️|registered ®️|tm ™️|infinity ♾️|hash #️⃣|id 🆔|free 🆓|cool 🆒|vs 🆚|white_flag 🏳️|black_flag 🏴|
stop_button ⏹️|record_button ⏺️|play_or_pause_button ⏯️|black_right_pointing_double_triangle_with_vertical_bar ⏭️|
eject ⏏️|signal_strength 📶|vibration_mode 📳|mobile_phone_off 📴|bookmark_tabs 📑|abacus 🧮|receipt 🧾|
hole 🕳️|magnet 🧲|ladder 🪜|hook 🪝|mirror 🪞|door 🚪|compass 🧭|world_map 🗺️|volcano 🌋|palm_tree 🌴|desert_island 🏝️|evergreen_tree 🌲|ring_buoy 🛟|rotating_light 🚨|night 🌃|sunrise 🌅|tornado 🌪️|fog 🌫️
`;

/** Name to character. */
export const EMOJI = new Map(
  TABLE.replaceAll("\n", "")
    .split("|")
    .filter(Boolean)
    .map((entry) => entry.split(" ")),
);
